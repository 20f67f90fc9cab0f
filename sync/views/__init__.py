"""What people and programs are shown: stock, plans, drift, explanations, and how everything is."""
