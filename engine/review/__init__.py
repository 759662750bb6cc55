"""Reviews: documents written from facts and figures, each period once, and the owner called for each."""
