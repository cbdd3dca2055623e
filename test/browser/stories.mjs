import { run, story, violations, want } from './harness.mjs';
import './pages.mjs';
import './keys.mjs';
import './people.mjs';
import './choices.mjs';
import './snippets.mjs';
import './undo.mjs';
import './frame.mjs';
import './passkeys.mjs';
import './portal.mjs';
import './element.mjs';
import './frames.mjs';
import './matrix.mjs';
import './fences.mjs';
import './docs.mjs';
import './attacks.mjs';
import './hooks.mjs';
import './tasks.mjs';
import './many.mjs'; // last but one: its thousand keys fill the lists
import './speed.mjs';

story('nothing was forbidden, broke, or was asked of another place in any story', async () => {
  want(violations.length === 0, violations.slice(0, 10).join('\n'));
});

await run();
