import { StyleSheet, useColorScheme } from 'react-native';

interface Colours {
  readonly paper: string;
  readonly ink: string;
  readonly faint: string;
  readonly line: string;
  readonly accent: string;
  readonly onAccent: string;
  readonly alert: string;
}

const LIGHT: Colours = {
  paper: '#ffffff',
  ink: '#1b1f24',
  faint: '#57606a',
  line: '#d0d7de',
  accent: '#0550ae',
  onAccent: '#ffffff',
  alert: '#a40e26',
};

const DARK: Colours = {
  paper: '#0d1117',
  ink: '#e6edf3',
  faint: '#9ea7b3',
  line: '#30363d',
  accent: '#79c0ff',
  onAccent: '#0d1117',
  alert: '#ffa198',
};

/** What a finger finds: 48 points on Android, 44 on iOS. */
const TARGET = 48;

function stylesOf({ paper, ink, faint, line, accent, onAccent, alert }: Colours) {
  return StyleSheet.create({
    page: { flex: 1, backgroundColor: paper },
    screen: { flex: 1, padding: 16 },
    title: { fontSize: 28, fontWeight: '600', color: ink, marginBottom: 12 },
    heading: { fontSize: 20, fontWeight: '600', color: ink, marginTop: 24, marginBottom: 8 },
    text: { fontSize: 16, color: ink },
    faint: { fontSize: 16, color: faint },
    alert: { fontSize: 16, color: alert },
    row: { minHeight: TARGET, paddingVertical: 8, borderBottomWidth: 1, borderColor: line },
    rowTitle: { fontSize: 18, color: ink },
    badge: { fontSize: 14, color: accent, marginTop: 4 },
    line: { flexDirection: 'row', flexWrap: 'wrap', gap: 8, marginVertical: 12 },
    fact: { flexDirection: 'row', justifyContent: 'space-between', flexWrap: 'wrap', gap: 8 },
    input: {
      minHeight: TARGET,
      borderWidth: 1,
      borderColor: line,
      borderRadius: 8,
      padding: 12,
      fontSize: 16,
      color: ink,
      marginBottom: 12,
    },
    textArea: { minHeight: 4 * TARGET, textAlignVertical: 'top' },
    choice: {
      minHeight: TARGET,
      justifyContent: 'center',
      paddingHorizontal: 14,
      borderWidth: 1,
      borderColor: line,
      borderRadius: 8,
    },
    choiceMade: {
      minHeight: TARGET,
      justifyContent: 'center',
      paddingHorizontal: 14,
      borderWidth: 1,
      borderColor: accent,
      borderRadius: 8,
      backgroundColor: accent,
    },
    button: {
      minHeight: TARGET,
      alignItems: 'center',
      justifyContent: 'center',
      borderRadius: 8,
      backgroundColor: accent,
    },
    buttonText: { fontSize: 16, color: onAccent },
    link: { minHeight: TARGET, alignItems: 'center', justifyContent: 'center' },
    tabs: { flexDirection: 'row', borderTopWidth: 1, borderColor: line },
    tab: { flex: 1, minHeight: TARGET, alignItems: 'center', justifyContent: 'center' },
    tabShown: { fontSize: 16, fontWeight: '600', color: accent },
    tabHidden: { fontSize: 16, color: faint },
  });
}

const light = stylesOf(LIGHT);
const dark = stylesOf(DARK);

export function useStyles(): typeof light {
  return useColorScheme() === 'dark' ? dark : light;
}
