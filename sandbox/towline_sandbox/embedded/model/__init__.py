"""What every part of the embedded API server speaks in: kinds, schemas, calls and refusals."""
