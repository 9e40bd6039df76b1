"""The words of a recipe: typed settings of every stage, and the graph that joins them."""
