"""The log plane: takes lines from instances and planes, stores them within a budget, gives them to followers."""
