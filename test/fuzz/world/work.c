/*
 * The threads of the program: its work, and what libuv does for it with files, is done on the loop, some time
 * after it was asked for. So one script always means one course of events.
 */
#include "kernel.h"
#include "script.h"

#include <stdlib.h>
#include <uv.h>

typedef void (*uv_work_fn)(struct uv__work *work);
typedef void (*uv_done_fn)(struct uv__work *work, int status);

void __wrap_uv__work_submit(uv_loop_t *loop, struct uv__work *work, int kind, uv_work_fn run,
                            uv_done_fn done);
int __wrap_uv_queue_work(uv_loop_t *loop, uv_work_t *request, uv_work_cb run, uv_after_work_cb done);
int __wrap_uv_cancel(uv_req_t *request);
int __wrap_uv_thread_create(uv_thread_t *thread, uv_thread_cb entry, void *argument);
int __wrap_uv_thread_join(uv_thread_t *thread);

struct job {
    uv_timer_t timer;
    struct job *next;
    bool cancelled;
    uv_work_t *request; /* of uv_queue_work, with its functions; else NULL */
    uv_work_cb run;
    uv_after_work_cb done;
    struct uv__work *work; /* of libuv itself, with its functions */
    uv_work_fn run_work;
    uv_done_fn work_done;
};

static struct job *jobs;

static void on_closed(uv_handle_t *timer)
{
    free(timer->data);
}

static void on_time(uv_timer_t *timer)
{
    struct job *job = timer->data, **at = &jobs;
    int status = job->cancelled ? UV_ECANCELED : 0;
    while (*at != job) at = &(*at)->next;
    *at = job->next;
    uv_close((uv_handle_t *) timer, on_closed);
    if (job->work) {
        job->run_work(job->work);
        job->work_done(job->work, status);
        return;
    }
    if (!job->cancelled) job->run(job->request);
    if (job->done) job->done(job->request, status);
}

static void begin_job(uv_loop_t *loop, const struct job *what)
{
    struct job *job = malloc(sizeof(*job));
    if (!job) fault("the fuzzer is out of memory");
    *job = *what;
    job->next = jobs;
    jobs = job;
    uv_timer_init(loop, &job->timer);
    job->timer.data = job;
    uv_timer_start(&job->timer, on_time, script_byte(), 0);
}

void __wrap_uv__work_submit(uv_loop_t *loop, struct uv__work *work, int kind, uv_work_fn run, uv_done_fn done)
{
    (void) kind;
    begin_job(loop, &(struct job){.work = work, .run_work = run, .work_done = done});
}

int __wrap_uv_queue_work(uv_loop_t *loop, uv_work_t *request, uv_work_cb run, uv_after_work_cb done)
{
    request->loop = loop;
    begin_job(loop, &(struct job){.request = request, .run = run, .done = done});
    return 0;
}

/* A thread may be at it already. */
int __wrap_uv_cancel(uv_req_t *request)
{
    for (struct job *job = jobs; job; job = job->next) {
        if ((uv_req_t *) job->request != request) continue;
        job->cancelled = script_below(2);
        return job->cancelled ? 0 : UV_EBUSY;
    }
    return UV_EINVAL;
}

int __wrap_uv_thread_create(uv_thread_t *thread, uv_thread_cb entry, void *argument)
{
    (void) thread, (void) entry, (void) argument;
    return 0;
}

int __wrap_uv_thread_join(uv_thread_t *thread)
{
    (void) thread;
    return 0;
}
