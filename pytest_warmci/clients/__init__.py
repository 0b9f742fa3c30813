"""What lives outside; every third-party client has one owner here."""
