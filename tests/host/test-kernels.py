#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The kernel that comes with podvisor, Debian's, on each machine."""
import unittest

from instance import HostTest
from kernels import Kernel


class Debians(Kernel, HostTest):
    release = r"-cloud-amd64$"


unittest.main()
