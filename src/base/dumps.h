/* Keeps secrets in memory out of core dumps. */
#ifndef BASE_DUMPS_H
#define BASE_DUMPS_H

/*
 * Forbids core dumps, and forbids other processes of the same user to read this process' memory. Call it
 * before loading a password or a private key. Calling it again is harmless.
 */
void dumps_forbid(void);

#endif
