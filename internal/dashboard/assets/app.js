// What every page is helped by. Nothing here is needed: each form and link works without it.

// The theme changes at once; the cookie tells the server for the next page.
for (const form of document.querySelectorAll('[data-theme-form]')) {
  form.addEventListener('submit', (event) => {
    const chosen = event.submitter?.value;
    if (!chosen) return;
    event.preventDefault();
    const root = document.documentElement;
    if (chosen === 'system') {
      delete root.dataset.theme;
      document.cookie = 'kw_theme=; Path=/; Max-Age=0; SameSite=Strict';
    } else {
      root.dataset.theme = chosen;
      document.cookie = `kw_theme=${chosen}; Path=/; Max-Age=31536000; SameSite=Strict`;
    }
    form.closest('details').open = false;
  });
}

// What opens closes again: by Escape, and by a click elsewhere.
const pops = [...document.querySelectorAll('details.pop')];
document.addEventListener('click', (event) => {
  for (const pop of pops) if (pop.open && !pop.contains(event.target)) pop.open = false;
});
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape') {
    for (const pop of pops) {
      if (!pop.open) continue;
      pop.open = false;
      pop.querySelector('summary').focus();
    }
  }
  const typing = event.target.closest?.('input, select, textarea, [contenteditable]');
  if (event.key === '/' && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const search = document.querySelector('[data-hotkey="/"]');
    if (search) {
      event.preventDefault();
      search.focus();
      search.select();
    }
  }
});

// Copying.
for (const button of document.querySelectorAll('[data-copy]')) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener('click', async () => {
    const label = button.textContent;
    try {
      await navigator.clipboard.writeText(document.querySelector(button.dataset.copy).textContent);
      button.textContent = 'Copied';
    } catch {
      button.textContent = 'Copy by hand';
    }
    const said = document.querySelector('[data-said]');
    if (said) said.textContent = button.textContent;
    setTimeout(() => { button.textContent = label; }, 2000);
  });
}

// A refusal is where the reader goes on.
document.getElementById('problem')?.focus();

// Charts say more under the pointer than a title does, and at once.
let tip;
for (const chart of document.querySelectorAll('svg.chart')) {
  for (const title of chart.querySelectorAll('title')) {
    title.parentNode.dataset.tip = title.textContent;
    title.remove();
  }
  chart.addEventListener('pointermove', (event) => {
    const text = event.target.closest('g.slot')?.dataset.tip;
    if (!text) { if (tip) tip.hidden = true; return; }
    if (!tip) {
      tip = document.createElement('div');
      tip.className = 'tip';
      tip.setAttribute('aria-hidden', 'true');
      document.body.append(tip);
    }
    tip.hidden = false;
    tip.textContent = text;
    const box = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(8, Math.min(event.clientX + 12, innerWidth - box.width - 8))}px`;
    tip.style.top = `${Math.max(8, event.clientY - box.height - 12)}px`;
  });
  chart.addEventListener('pointerleave', () => { if (tip) tip.hidden = true; });
}
