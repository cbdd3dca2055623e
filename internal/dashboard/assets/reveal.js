// A value that was shown once must not come back: not by a reload, which would send the form again, not from the page that the
// browser keeps for its back button, not from what is left of this one.
const place = document.querySelector('[data-reveal]');
if (place) {
  history.replaceState(null, '', place.dataset.reveal);
  addEventListener('pagehide', () => {
    for (const secret of document.querySelectorAll('[data-secret]')) secret.textContent = 'gone';
  });
  addEventListener('pageshow', (event) => {
    if (event.persisted) location.reload();
  });
}
