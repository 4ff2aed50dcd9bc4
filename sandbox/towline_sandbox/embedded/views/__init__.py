"""What the embedded API server tells about itself and its objects: discovery, OpenAPI, tables."""
