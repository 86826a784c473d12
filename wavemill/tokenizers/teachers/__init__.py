"""Teachers: what turns a clip into the features that `mvq` and `kmeans` quantize."""
