"""The admin's page: see, steer, stop. Served by the API behind the same credentials.

Everything it shows is read from the store, where jobs wrote it; everything it changes, it changes
by asking the job desk. Tasks are hostile: their text is escaped, their files come through `media`.
"""
