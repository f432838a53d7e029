/*
 * A library for LD_PRELOAD that tells helgrind which memory begins a new life. glibc touches a mutex a moment
 * after it has unlocked it, and runs seteuid on all threads by a struct in the stack of the caller. helgrind
 * sees neither of these as an order between threads, and would report whoever uses that memory next.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <unistd.h>
#include <valgrind/helgrind.h>

/* Bytes below its caller's frame that seteuid may use. */
#define STACK_USED 4096

int pthread_mutex_destroy(pthread_mutex_t *mutex)
{
    int (*real)(pthread_mutex_t *) = (int (*)(pthread_mutex_t *)) dlsym(RTLD_NEXT, "pthread_mutex_destroy");
    int result = real(mutex);
    VALGRIND_HG_CLEAN_MEMORY(mutex, sizeof(*mutex));
    return result;
}

int seteuid(uid_t user)
{
    int (*real)(uid_t) = (int (*)(uid_t)) dlsym(RTLD_NEXT, "seteuid");
    int result = real(user);
    VALGRIND_HG_CLEAN_MEMORY((char *) __builtin_frame_address(0) - STACK_USED, STACK_USED);
    return result;
}
