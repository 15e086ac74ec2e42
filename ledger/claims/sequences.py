"""What is claimed of LSTM autoencoders."""

from __future__ import annotations

from inst import (
    NOTES,
    VIDEO,
    lstm_classifier,
    lstm_composite,
    lstm_composite_moving,
    lstm_finetune,
    lstm_greedy,
    lstm_half,
    lstm_predict,
    lstm_reconstruct,
    lstm_reconstruct_forward,
    lstm_stacked,
)
from ledger.claim import MARGIN, OURS, Claim

CLAIMS = (
    Claim(
        'a sequence is easier to write in reverse order', VIDEO,
        lstm_reconstruct, 'test/mse', 'better', lstm_reconstruct_forward, seeds=3,
    ),
    *(
        Claim(
            f'{what}, better than {beside}', OURS, experiment, metric, 'better', experiment,
            metric.replace('mse', f'{name}_mse'), seeds=3,
        )
        for what, experiment, metric in (
            ('reconstructs', lstm_reconstruct, 'test/mse'),
            ('predicts', lstm_predict, 'test/future_mse'),
        )
        for beside, name in (
            ('the mean sequence', 'mean'),
            ('the last row again', 'copy'),
            ('as many principal components as the code has numbers', 'pca'),
        )
    ),
    Claim(
        'one code for both decoders reconstructs no worse than one of its own, within 5 %', OURS,
        lstm_composite, 'test/mse', 'no worse', lstm_half, factor=1.05, seeds=3, note=MARGIN,
    ),
    Claim(
        'one code for both decoders predicts no worse than one of its own, within 5 %', OURS,
        lstm_composite, 'test/future_mse', 'no worse', lstm_predict, factor=1.05, seeds=3,
        note=MARGIN,
    ),
    *(
        Claim(
            f'with {units} units for 28 inputs the loss sticks within 10 % of the mean sequence',
            NOTES, lstm_reconstruct.vary(hidden=(units,)), 'test/mse', 'no better',
            lstm_reconstruct.vary(hidden=(units,)), 'test/mean_mse', 0.9,
            note='stuck below about three times the inputs, says the source',
        )
        for units in (14, 28, 56)
    ),
    Claim(
        'two layers trained one after the other are no worse than jointly, within 5 %', OURS,
        lstm_greedy, 'test/mse', 'no worse', lstm_stacked, factor=1.05, seeds=3,
        note=f'as many epochs a phase, so twice the updates, of a layer each; {MARGIN}',
    ),
    Claim(
        'a classifier on the frozen codes of sequences is right in at least 98.2 %', OURS,
        lstm_classifier, 'test/accuracy', '>=', 0.982, seeds=3,
    ),
    Claim(
        'that classifier is right more often when the encoder is fine-tuned', OURS,
        lstm_finetune, 'test/accuracy', 'better', lstm_classifier, seeds=3,
    ),
    Claim(
        'moving digits are predicted better than by the last frame again', OURS,
        lstm_composite_moving, 'test/future_mse', 'better', lstm_composite_moving,
        'test/future_copy_mse', seeds=3,
    ),
)  # fmt: skip
