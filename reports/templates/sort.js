// Sorts a table by the column whose head is pressed; empty cells come last either way.
for (const table of document.querySelectorAll('table.sorted')) {
  const heads = [...table.tHead.rows[0].cells];
  const words = new Intl.Collator('en', {numeric: true});
  heads.forEach((head, column) => head.querySelector('button')?.addEventListener('click', () => {
    const falls = head.getAttribute('aria-sort') === 'ascending';
    const isNumber = head.classList.contains('number');
    const keyed = [...table.tBodies[0].rows].map(row => {
      const cell = row.cells[column];
      const text = cell.dataset.value ?? cell.textContent.trim();
      return {row, text, key: isNumber && text !== '' ? Number(text) : text};
    });
    keyed.sort((one, other) => {
      if (one.text === '' || other.text === '') return (one.text === '') - (other.text === '');
      const order = isNumber ? one.key - other.key : words.compare(one.key, other.key);
      return falls ? -order : order;
    });
    table.tBodies[0].append(...keyed.map(one => one.row));
    heads.forEach(other => other.removeAttribute('aria-sort'));
    head.setAttribute('aria-sort', falls ? 'descending' : 'ascending');
  }));
}
