/* SPDX-License-Identifier: MIT */
/*
 * What several sources of a process share: HTTP clients, and tokens of Entra.  What has been made
 * stays until the end; any thread may ask.
 */
#ifndef BACKEND_CLIENTS_H
#define BACKEND_CLIENTS_H

#include <pthread.h>

#include "backend/backend.h"
#include "backend/net/http.h"
#include "backend/net/token.h"

/*
 * Connections to stores and those that carry tokens to Entra and vaults are never of one client.
 */
enum clients_purpose { CLIENTS_FOR_STORES, CLIENTS_FOR_KEYS };

struct clients {
	const struct identity_env *identity; /* borrowed */
	pthread_mutex_t mu;		     /* guards the lists */
	struct client *first;
	struct tokens *tokens;
};

void clients_init(struct clients *c, const struct identity_env *identity);
/* After the last user of what they gave is gone */
void clients_clear(struct clients *c);
/* Running and future calls of all clients fail soon with -ECANCELED. */
void clients_stop(struct clients *c);

/* The client with cfg's certificates, proxy and allow_http.  Borrowed. */
int clients_http(struct clients *c, const struct backend_config *cfg, enum clients_purpose purpose,
		 struct http_client **out, struct err *e) MUST_CHECK;

/* Tokens for that resource, see token_source_new.  Borrowed; asks for none yet. */
int clients_tokens(struct clients *c, const struct backend_config *cfg, enum credential_kind kind,
		   const char *resource, struct token_source **out, struct err *e) MUST_CHECK;

#endif
