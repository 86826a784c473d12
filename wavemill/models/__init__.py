"""Models: recipes that train. `recipe` has the contract, `table` the names."""
