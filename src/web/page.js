"use strict";
(() => {
    const table = document.getElementById("servers"), tools = document.getElementById("tools");
    if (!table) return;
    const text = document.getElementById("text"), state = document.getElementById("state");
    const shown = document.getElementById("shown");
    const bodies = [...table.tBodies];
    const rows = bodies.map(body => [...body.rows].filter(row => row.dataset.s));
    const names = new Map(rows.flat().map(row => [row, row.cells[0].textContent.toLowerCase()]));
    const keys = new Map();

    function filter() {
        const wanted = text.value.trim().toLowerCase();
        let count = 0;
        bodies.forEach((body, n) => {
            let any = false;
            for (const row of rows[n]) {
                const up = row.dataset.s === "up";
                const good = names.get(row).includes(wanted) && (state.value === "" || (state.value === "up") === up);
                row.hidden = !good;
                any ||= good;
                count += good;
            }
            body.hidden = !any;
        });
        shown.textContent = `${count} of ${names.size} servers`;
    }

    /* The values of a row's other cells, in the order of the columns. A missing one is empty. */
    function key(row, column) {
        if (column === 0) return names.get(row);
        if (!keys.has(row)) keys.set(row, row.dataset.v.split(",").map(value => value === "" ? null : Number(value)));
        return keys.get(row)[column - 1];
    }

    /* Cells without a value come last, whichever way. */
    function compare(a, b, sign) {
        if (a === null || b === null) return (a === null) - (b === null);
        return (a < b ? -1 : a > b ? 1 : 0) * sign;
    }

    function sort(head, column) {
        const down = head.getAttribute("aria-sort") === "ascending";
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        bodies.forEach((body, n) => {
            rows[n].sort((a, b) => compare(key(a, column), key(b, column), down ? -1 : 1));
            body.append(...rows[n]);
        });
    }

    [...table.tHead.rows[0].cells].forEach((head, column) => {
        if (head.dataset.sort === undefined) return;
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = head.textContent;
        button.addEventListener("click", () => sort(head, column));
        head.replaceChildren(button);
    });
    text.addEventListener("input", filter);
    state.addEventListener("change", filter);
    tools.addEventListener("submit", event => event.preventDefault());
    tools.hidden = false;
    filter();
})();
