"""The synthetic corpus: every program in it was executed against its tests before it was written down."""
