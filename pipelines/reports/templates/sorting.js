// Every column head becomes a button that sorts its table; without this script the tables read as they are.
(function () {
  "use strict";
  var said = document.createElement("p");
  said.className = "unseen";
  said.setAttribute("role", "status");
  document.body.appendChild(said);

  function key(row, column) {
    var cell = row.cells[column];
    return cell && cell.colSpan === 1 && cell.hasAttribute("data-key") ? cell.getAttribute("data-key") : null;
  }

  // What has no value stays last, whichever way the others are sorted.
  function compare(a, b, isNumber, way) {
    if (a === null || b === null) { return (a === null) - (b === null); }
    return way * (isNumber ? Number(a) - Number(b) : a.localeCompare(b, "en", { numeric: true }));
  }

  function sort(table, head, column) {
    var way = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    var body = table.tBodies[0], rows = Array.prototype.slice.call(body.rows);
    var keys = new Map(rows.map(function (row) { return [row, key(row, column)]; }));
    var isNumber = rows.every(function (row) { return keys.get(row) === null || !isNaN(Number(keys.get(row))); });
    rows.sort(function (a, b) { return compare(keys.get(a), keys.get(b), isNumber, way); });
    rows.forEach(function (row) { body.appendChild(row); });
    table.querySelectorAll("thead th").forEach(function (th) { th.removeAttribute("aria-sort"); });
    head.setAttribute("aria-sort", way === 1 ? "ascending" : "descending");
    said.textContent = "Sorted by " + head.textContent + ", " + (way === 1 ? "ascending" : "descending") + ".";
  }

  document.querySelectorAll("table.sortable").forEach(function (table) {
    if (table.tBodies[0].rows.length < 2) { return; }
    Array.prototype.forEach.call(table.tHead.rows[0].cells, function (head, column) {
      var button = document.createElement("button");
      button.type = "button";
      while (head.firstChild) { button.appendChild(head.firstChild); }
      head.appendChild(button);
      button.addEventListener("click", function () { sort(table, head, column); });
    });
  });

  document.querySelectorAll("button.open-all").forEach(function (button) {
    button.hidden = false;
    button.addEventListener("click", function () {
      document.querySelectorAll("details").forEach(function (part) { part.open = true; });
      said.textContent = "Everything that was folded is open.";
    });
  });
})();
