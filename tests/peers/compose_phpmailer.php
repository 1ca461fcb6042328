<?php
// Composes and sends one mail with PHPMailer, as most shops and content systems do.
//
// Reads a JSON object (host, port, user, password, ca, from, to, subject, text), prints one (accepted, text).
// STARTTLS with a certificate that verifies, or nothing.

require '/usr/share/php/libphp-phpmailer/autoload.php';

$job = json_decode(file_get_contents('php://stdin'), true);
$mail = new PHPMailer\PHPMailer\PHPMailer(true);
try {
    $mail->isSMTP();
    $mail->Host = $job['host'];
    $mail->Port = $job['port'];
    $mail->SMTPAuth = true;
    $mail->Username = $job['user'];
    $mail->Password = $job['password'];
    $mail->SMTPSecure = PHPMailer\PHPMailer\PHPMailer::ENCRYPTION_STARTTLS;
    $mail->SMTPOptions = ['ssl' => ['cafile' => $job['ca']]];
    $mail->setFrom($job['from']);
    foreach ($job['to'] as $to) {
        $mail->addAddress($to);
    }
    $mail->Subject = $job['subject'];
    $mail->Body = $job['text'];
    $mail->send();
    echo json_encode(['accepted' => true, 'text' => '']);
} catch (Exception $error) {
    echo json_encode(['accepted' => false, 'text' => $mail->ErrorInfo]);
}
