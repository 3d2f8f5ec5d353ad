"""What users write and what is stored: models, units and rules, and the schemas made from them."""
