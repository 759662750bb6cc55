"""Reviews: documents written from facts and figures, each period once, and who is called for them."""
