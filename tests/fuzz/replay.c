/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target over the files of its corpus, without a fuzzer: what has been found once is
 * tried on every build, under every sanitizer.
 *
 *	replay_TARGET DIRECTORY...
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_MAX = 4 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* In a block of exactly its size, so that a sanitizer sees a read past its end. */
static int
run_file(const char *path)
{
	static uint8_t bytes[INPUT_MAX];
	FILE *f = fopen(path, "rbe");
	uint8_t *exact;
	size_t n;

	if (f == NULL) {
		perror(path);
		return -1;
	}
	n = fread(bytes, 1, sizeof(bytes), f);
	(void)fclose(f);
	exact = malloc(n > 0 ? n : 1);
	if (exact == NULL) {
		perror(path);
		return -1;
	}
	memcpy(exact, bytes, n);
	(void)LLVMFuzzerTestOneInput(exact, n);
	free(exact);
	return 0;
}

/* How many files were run; -1 when one could not be. */
static int
run_directory(const char *dir)
{
	char path[4096];
	struct dirent *entry;
	DIR *d = opendir(dir);
	int n = 0;

	if (d == NULL) {
		perror(dir);
		return -1;
	}
	while (n >= 0 && (entry = readdir(d)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		n = run_file(path) == 0 ? n + 1 : -1;
	}
	(void)closedir(d);
	return n;
}

int
main(int argc, char **argv)
{
	int total = 0;

	for (int i = 1; i < argc; i++) {
		const int n = run_directory(argv[i]);

		if (n < 0)
			return 1;
		total += n;
	}
	if (total == 0) {
		(void)fprintf(stderr, "%s: no input: a corpus is empty or missing\n", argv[0]);
		return 1;
	}
	return 0;
}
