/* SPDX-License-Identifier: MIT */
/*
 * JSON that holds keys: read strictly, wiped when freed.  A thin layer over
 * jansson; what the members mean is the caller's business.
 */
#ifndef BACKEND_KEYS_SECRETJSON_H
#define BACKEND_KEYS_SECRETJSON_H

#include "base/attr.h"
#include "base/span.h"

struct json_t; /* jansson's */

/*
 * Makes jansson wipe whatever it frees, in the whole process.  To be called before other threads
 * use jansson; more often does no harm.
 */
void secretjson_setup(void);

/* One JSON object without duplicate members and with nothing behind it; NULL otherwise.  Freed with
 * json_decref. */
struct json_t *secretjson_object(struct span text);

/* The string, or NULL when there is no such member or it is no string. */
const char *secretjson_string(const struct json_t *object, const char *name);

void secretjson_decrefp(struct json_t **j);

#define AUTO_JSON struct json_t *CLEANUP(secretjson_decrefp)

#endif
