#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "base/list.h"

struct member {
    int number;
    struct link link;
};

/* Members numbered from 1, all in the list. */
static void fill(struct list *list, struct member *members, int count)
{
    list_init(list);
    for (int i = 0; i < count; i++) {
        members[i].number = i + 1;
        link_init(&members[i].link);
        list_append(list, &members[i].link);
    }
}

/* The numbers as digits: 123. */
static int digits_of(struct list *list)
{
    int digits = 0;
    list_each (list, at, after) digits = digits * 10 + container_of(at, struct member, link)->number;
    return digits;
}

static void an_empty_list_has_no_members(void **state)
{
    struct list list;
    (void) state;
    list_init(&list);
    assert_true(list_is_empty(&list));
    assert_null(list_first(&list));
    assert_null(list_pop(&list));
    assert_int_equal(digits_of(&list), 0);
}

static void keeps_the_order_of_appending(void **state)
{
    struct list list;
    struct member members[3];
    (void) state;
    fill(&list, members, 3);
    assert_false(list_is_empty(&list));
    assert_int_equal(digits_of(&list), 123);
    assert_ptr_equal(list_first(&list), &members[0].link);
    assert_ptr_equal(list_pop(&list), &members[0].link);
    assert_false(link_is_linked(&members[0].link));
    assert_int_equal(digits_of(&list), 23);
    list_append(&list, &members[0].link);
    assert_int_equal(digits_of(&list), 231);
}

static void removes_anywhere_and_twice(void **state)
{
    struct list list;
    struct member members[3];
    (void) state;
    fill(&list, members, 3);
    assert_true(link_is_linked(&members[1].link));
    link_remove(&members[1].link);
    assert_false(link_is_linked(&members[1].link));
    link_remove(&members[1].link);
    assert_int_equal(digits_of(&list), 13);
    link_remove(&members[2].link);
    link_remove(&members[0].link);
    assert_true(list_is_empty(&list));
}

static void members_may_leave_during_a_walk(void **state)
{
    struct list list;
    struct member members[4];
    int seen = 0;
    (void) state;
    fill(&list, members, 4);
    list_each (&list, at, after) {
        struct member *member = container_of(at, struct member, link);
        seen = seen * 10 + member->number;
        if (member->number % 2 == 0) link_remove(at);
    }
    assert_int_equal(seen, 1234);
    assert_int_equal(digits_of(&list), 13);
}

static void moves_members_behind_others(void **state)
{
    struct list to, from;
    struct member some[2], more[2];
    (void) state;
    fill(&to, some, 2);
    fill(&from, more, 2);
    more[0].number = 3;
    more[1].number = 4;
    list_move(&to, &from);
    assert_int_equal(digits_of(&to), 1234);
    assert_true(list_is_empty(&from));
    list_move(&to, &from);
    assert_int_equal(digits_of(&to), 1234);
    list_move(&from, &to);
    assert_int_equal(digits_of(&from), 1234);
    assert_true(list_is_empty(&to));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_list_has_no_members), cmocka_unit_test(keeps_the_order_of_appending),
        cmocka_unit_test(removes_anywhere_and_twice),   cmocka_unit_test(members_may_leave_during_a_walk),
        cmocka_unit_test(moves_members_behind_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
