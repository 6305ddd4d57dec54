"""Reading a text: its language, its feeling, what its author wants. onnxruntime and transformers live here only."""
