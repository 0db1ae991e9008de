"""Time, energy and money: phases of the controller, power of the machine, the bill of a run.

May import nothing else of the search but `journal`.
"""
