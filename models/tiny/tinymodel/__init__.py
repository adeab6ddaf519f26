"""The shipped tiny model, made from nothing: corpus, training, export and measurement."""
