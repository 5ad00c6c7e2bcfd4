"""How what is fitted was fitted: recipes that end in files which the package ships."""
