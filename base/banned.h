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

#undef strcpy
#define strcpy(...) banned_use_strdup_or_strf_instead_of_strcpy
#undef strcat
#define strcat(...) banned_use_strf_instead_of_strcat
#undef strncpy
#define strncpy(...) banned_use_strdup_or_memcpy_instead_of_strncpy
#undef strncat
#define strncat(...) banned_use_strf_instead_of_strncat
#undef sprintf
#define sprintf(...) banned_use_snprintf_or_strf_instead_of_sprintf
#undef vsprintf
#define vsprintf(...) banned_use_vsnprintf_or_strf_instead_of_vsprintf
#undef strtok
#define strtok(...) banned_use_strsep_instead_of_strtok
#undef gets
#define gets(...) banned_use_getline_instead_of_gets
#undef atoi
#define atoi(...) banned_use_parse_unsigned_instead_of_atoi
#undef atol
#define atol(...) banned_use_parse_unsigned_instead_of_atol
#undef atoll
#define atoll(...) banned_use_parse_unsigned_instead_of_atoll
#undef atof
#define atof(...) banned_use_strtod_instead_of_atof
#undef gmtime
#define gmtime(...) banned_use_gmtime_r_instead_of_gmtime
#undef localtime
#define localtime(...) banned_use_localtime_r_instead_of_localtime
#undef ctime
#define ctime(...) banned_use_strftime_instead_of_ctime
#undef asctime
#define asctime(...) banned_use_strftime_instead_of_asctime
#undef system
#define system(...) banned_use_process_spawn_instead_of_system
#undef popen
#define popen(...) banned_use_process_spawn_instead_of_popen
#undef tmpnam
#define tmpnam(...) banned_use_mkostemp_instead_of_tmpnam
#undef mktemp
#define mktemp(...) banned_use_mkostemp_instead_of_mktemp
#undef usleep
#define usleep(...) banned_wait_for_the_event_instead_of_sleeping
#undef sleep
#define sleep(...) banned_wait_for_the_event_instead_of_sleeping
