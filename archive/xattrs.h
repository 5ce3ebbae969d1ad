/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Extended attributes that go along with a file: those of users, and what a program of the file may do ("security.capability").
 * Those of the system mean nothing elsewhere, or are of more power than a copy should have.
 */
#include "archive/tar.h"

/* Adds those of an open file or directory. Where there are none, or cannot be any, that is 0. -E2BIG: more than an entry has. */
int xattrs_read(int fd, TarEntry *e);
/* 0, -EOPNOTSUPP when some cannot be kept there, or another negative errno. power: also what gives a program power. */
int xattrs_write(int fd, const TarEntry *e, bool power);
