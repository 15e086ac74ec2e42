"""The ground: errors and exit codes, whole files, signals, progress, rules of fields, quiet.

All that is ours imports something of it before TensorFlow, which then computes by what is chosen.
"""

from system import kernels

kernels.choose()
