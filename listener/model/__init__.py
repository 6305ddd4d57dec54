"""Reading a text: its language, its feeling, what its author wants. onnxruntime, tokenizers, transformers only here."""
