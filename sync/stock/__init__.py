"""The stock of record: what is known of every SKU, how it changes, and what is still to be done."""
