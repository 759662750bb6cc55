"""What Tocsin knows and decides: pure data and pure functions, no IO and no clock."""
