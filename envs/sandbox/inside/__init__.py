"""What runs inside the sandbox's own processes.

These modules import nothing but the standard library and one another, by relative imports: a worker loads them as a
package of its own, so that no program ever finds the rest of this project in its process, and forks stay small.
"""
