"""Its being here makes the servers in this folder importable by the tests of all parts."""
