/* SPDX-License-Identifier: MIT */
/*
 * Azure Blob Storage.  A container, or a prefix of one, or a whole account (then the first
 * component of a name is the container, and a delimited listing of "" lists containers), or one
 * blob (a SAS that is good for that alone). Source: docs/FORMATS.md, "Blob REST".
 */
#ifndef BACKEND_STORE_AZBLOB_H
#define BACKEND_STORE_AZBLOB_H

#include "backend/net/http.h"
#include "backend/store/store.h"

struct azblob_config {
	const char *service;   /* "https://ACCOUNT.blob.core.windows.net", or path style
				  "http://127.0.0.1:10000/devstoreaccount1" */
	const char *account;   /* for the log */
	const char *container; /* decoded; NULL = the whole account */
	const char *prefix;    /* decoded, "" or without trailing '/'; names are below "prefix/" */
	bool single; /* prefix is the name of one blob: the store has just this object, named by its
			last component */
};

/* client is borrowed for life; auth is taken (also on failure; NULL = anonymous).  Contacts
 * nothing. */
int azblob_store_open_take(const struct azblob_config *cfg, struct http_client *client,
			   struct http_auth *auth, struct store **out, struct err *e) MUST_CHECK;

#endif
