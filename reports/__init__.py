"""What people look at: the screen, figures, and pages of HTML."""
