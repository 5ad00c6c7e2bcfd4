"""The six stages, one pure function each: values, settings and progress in; values out."""
