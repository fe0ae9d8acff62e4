/* SPDX-License-Identifier: MIT */
/* JSON that holds keys: see secretjson.h. */
#include "backend/keys/secretjson.h"

#include <jansson.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void
wipe_and_free(void *p)
{
	if (p != NULL)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

static void
set_alloc_funcs(void)
{
	json_set_alloc_funcs(malloc, wipe_and_free);
}

void
secretjson_setup(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, set_alloc_funcs);
}

json_t *
secretjson_object(struct span text)
{
	json_t *j;

	if (text.n == 0)
		return NULL;
	j = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
	if (j != NULL && !json_is_object(j)) {
		json_decref(j);
		return NULL;
	}
	return j;
}

const char *
secretjson_string(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

void
secretjson_decrefp(struct json_t **j)
{
	json_decref(*j);
}
