"""What is measured, each with a peer in the same run: absolute figures hang on the machine, ratios hardly."""
