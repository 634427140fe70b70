import { PRIORITIES, SyncPriority } from 'nexus-store';
import { useState } from 'react';
import { KeyboardAvoidingView, Platform, Pressable, Text, TextInput, View } from 'react-native';
import { backend, notes, type Note } from './field';
import { useStyles } from './styles';

interface NoteEditorProps {
  /** Undefined: a new one. */
  readonly note: Note | undefined;
  readonly onClose: () => void;
}

export function NoteEditor({ note, onClose }: NoteEditorProps) {
  const styles = useStyles();
  const [id] = useState(() => note?.id ?? backend.runtime.ids.uuid());
  const [title, setTitle] = useState(note?.title ?? '');
  const [text, setText] = useState(note?.text ?? '');
  const [priority, setPriority] = useState<SyncPriority>(SyncPriority.normal);
  const [failure, setFailure] = useState<string>();

  /** Leaves the screen once the write is on disk, and stays if it is not. */
  const finish = async (write: () => Promise<unknown>) => {
    try {
      await write();
      onClose();
    } catch (error) {
      setFailure(String(error));
    }
  };
  const save = () =>
    finish(() => notes.save({ id, title, text, changedAt: Date.now() }, { priority }));
  const remove = () => finish(() => notes.delete(id, { priority }));

  return (
    <KeyboardAvoidingView
      style={styles.screen}
      behavior={Platform.OS === 'ios' ? 'padding' : undefined}
    >
      <TextInput
        style={styles.input}
        value={title}
        onChangeText={setTitle}
        placeholder="Title"
        accessibilityLabel="Title"
      />
      <TextInput
        style={[styles.input, styles.textArea]}
        value={text}
        onChangeText={setText}
        placeholder="What did you see?"
        accessibilityLabel="Text"
        multiline
      />
      <View style={styles.line} accessibilityRole="radiogroup" accessibilityLabel="Priority">
        {PRIORITIES.map((one) => (
          <Pressable
            key={one}
            style={one === priority ? styles.choiceMade : styles.choice}
            onPress={() => setPriority(one)}
            accessibilityRole="radio"
            accessibilityState={{ checked: one === priority }}
          >
            <Text style={one === priority ? styles.buttonText : styles.text}>{one}</Text>
          </Pressable>
        ))}
      </View>
      {failure !== undefined && (
        <Text style={styles.alert} accessibilityRole="alert">
          Not saved: {failure}
        </Text>
      )}
      <Pressable style={styles.button} onPress={() => void save()} accessibilityRole="button">
        <Text style={styles.buttonText}>Save</Text>
      </Pressable>
      {note !== undefined && (
        <Pressable style={styles.link} onPress={() => void remove()} accessibilityRole="button">
          <Text style={styles.alert}>Delete</Text>
        </Pressable>
      )}
      <Pressable style={styles.link} onPress={onClose} accessibilityRole="button">
        <Text style={styles.text}>Cancel</Text>
      </Pressable>
    </KeyboardAvoidingView>
  );
}
