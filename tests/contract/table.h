/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What came of a suite, for people: one row for each obligation, one column for each backend, footnotes below. */
#include <stdio.h>

#include "tests/contract/suite.h"

void table_print(const Suite *s, FILE *out);
/* What those said that failed. */
void table_print_failures(const Suite *s);
