/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Functions of libc that have no safe use, or a better one here. This header is included before every
 * source file by the build, so a use of one is a compile error whose text is the advice.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#define strcpy(...) banned_use_strdup_or_strf_instead_of_strcpy
#define strcat(...) banned_use_strf_instead_of_strcat
#define strncpy(...) banned_use_strdup_or_memcpy_instead_of_strncpy
#define strncat(...) banned_use_strf_instead_of_strncat
#define sprintf(...) banned_use_snprintf_or_strf_instead_of_sprintf
#define vsprintf(...) banned_use_vsnprintf_or_strf_instead_of_vsprintf
#define strtok(...) banned_use_strsep_instead_of_strtok
#define gets(...) banned_use_getline_instead_of_gets
#define atoi(...) banned_use_parse_unsigned_instead_of_atoi
#define atol(...) banned_use_parse_unsigned_instead_of_atol
#define atoll(...) banned_use_parse_unsigned_instead_of_atoll
#define atof(...) banned_use_strtod_instead_of_atof
#define gmtime(...) banned_use_gmtime_r_instead_of_gmtime
#define localtime(...) banned_use_localtime_r_instead_of_localtime
#define ctime(...) banned_use_strftime_instead_of_ctime
#define asctime(...) banned_use_strftime_instead_of_asctime
#define system(...) banned_use_process_spawn_instead_of_system
#define popen(...) banned_use_process_spawn_instead_of_popen
#define tmpnam(...) banned_use_mkostemp_instead_of_tmpnam
#define mktemp(...) banned_use_mkostemp_instead_of_mktemp
#define usleep(...) banned_wait_for_the_event_instead_of_sleeping
#define sleep(...) banned_wait_for_the_event_instead_of_sleeping
