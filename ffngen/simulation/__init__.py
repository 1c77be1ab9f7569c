"""Made-up sets in the layout of real ones: what no camera could record, with the truth beside it."""
