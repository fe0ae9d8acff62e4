# SPDX-License-Identifier: MIT
"""Loopback stand-ins for the Azure services that the tests need; see README.md."""
