"""pipeline owns deals and their way from the first interest to the invoice: pipelines and stages, the board,
each move with who, when and why, what is expected to come in, and the saga that sees a won deal through.
"""
