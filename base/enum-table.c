/* SPDX-License-Identifier: Apache-2.0 */
#include "base/enum-table.h"
#include "base/strings.h"

const char *enum_to_string(const EnumTable *table, int value)
{
    if (value < 0 || value >= table->n)
        return "invalid";
    return table->rows[value].name;
}

int enum_from_string(const EnumTable *table, const char *word)
{
    for (int i = 0; word && i < table->n; i++)
        if (streq(table->rows[i].name, word))
            return i;
    return -EINVAL;
}

char *enum_list(const EnumTable *table)
{
    _cleanup_(freep) char *list = NULL;

    for (int i = 0; i < table->n; i++) {
        const char *separator = i == 0 ? "" : i == table->n - 1 ? " or " : ", ";
        char *longer = strf("%s%s%s", list ?: "", separator, table->rows[i].name);
        if (!longer)
            return NULL;
        free(list);
        list = longer;
    }
    return take_ptr(list);
}
