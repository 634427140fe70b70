import { mainHeading } from '../focus.ts';
import { paths, useRoute, type Route } from '../route.ts';
import { useStanding } from '../hooks.ts';
import { Icon, type IconName } from './icon.tsx';

interface Place {
  readonly label: string;
  readonly href: string;
  readonly icon: IconName;
  readonly screens: readonly Route['screen'][];
}

const PLACES: readonly Place[] = [
  { label: 'Notes', href: paths.notes, icon: 'notes', screens: ['notes'] },
  { label: 'Reports', href: paths.reports, icon: 'reports', screens: ['reports'] },
  { label: 'Sync', href: paths.sync, icon: 'sync', screens: ['sync', 'conflict'] },
  { label: 'Account', href: paths.account, icon: 'account', screens: ['account'] },
];

export function Header() {
  return (
    <header className="bar">
      <a className="skip" href="#main" onClick={skipToMain}>
        Skip to content
      </a>
      <a className="brand" href={paths.notes}>
        <img src="/icons/icon.svg" alt="" width="28" height="28" />
        <span>Field notes</span>
      </a>
      <Places />
      <StandingPill />
    </header>
  );
}

/** The address is ours: a link into the page would be taken for a screen. */
function skipToMain(event: { preventDefault(): void }): void {
  event.preventDefault();
  mainHeading()?.focus();
}

function Places() {
  const { screen } = useRoute();
  return (
    <nav className="places" aria-label="Main">
      <ul>
        {PLACES.map(({ label, href, icon, screens }) => (
          <li key={href}>
            <a href={href} aria-current={screens.includes(screen) ? 'page' : undefined}>
              <Icon name={icon} />
              {label}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}

const MOOD_ICONS = {
  calm: 'synced',
  busy: 'claimed',
  waiting: 'pending',
  attention: 'dead',
} as const;

/** How all of it stands, always in sight. */
function StandingPill() {
  const { mood, short, sentence } = useStanding();
  return (
    <a className="pill" data-mood={mood} href={paths.sync} title={sentence}>
      <Icon name={MOOD_ICONS[mood]} />
      <span className="hidden">Sync: </span>
      {short}
    </a>
  );
}
